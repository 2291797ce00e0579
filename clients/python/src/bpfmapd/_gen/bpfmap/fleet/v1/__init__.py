"""Generated from proto/ by scripts/generate.py. Internal."""
