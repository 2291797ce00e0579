/** Wakes everybody who waits for news. */
export class Bell {
  #ring!: () => void;
  #next!: Promise<void>;

  constructor() {
    this.#arm();
  }

  /** Settles at the next ring. */
  get next(): Promise<void> {
    return this.#next;
  }

  /** Wakes all who wait. */
  ring(): void {
    const ring = this.#ring;
    this.#arm();
    ring();
  }

  #arm(): void {
    this.#next = new Promise((resolve) => {
      this.#ring = resolve;
    });
  }
}
