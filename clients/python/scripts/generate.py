"""Writes bpfmapd/_gen anew from the contract in proto/.

The contract is compiled to descriptors first, and the descriptors are changed before code is
made of them, so that the package can live beside any other in one process:

- files are named bpfmapd/_gen/..., so the code imports itself from there and no top-level
  package "bpfmap", "google" or "buf" comes into being;
- google.rpc gets a package of its own, since googleapis-common-protos registers the same
  names in the one descriptor pool of the process, maybe from another version;
- the rules of buf.validate are dropped: the daemon checks them.

Usage: python generate.py
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.message import Message

CLIENT = Path(__file__).resolve().parent.parent
ROOT = CLIENT.parent.parent
SOURCE = CLIENT / "src"
GENERATED = SOURCE / "bpfmapd" / "_gen"

DROPPED = "buf/validate/validate.proto"
RPC_PACKAGE = "bpfmapd.google_rpc"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        descriptors = Path(directory) / "contract.binpb"
        files = changed(compile_contract(descriptors))
        descriptors.write_bytes(FileDescriptorSet(file=files).SerializeToString())
        ours = [file for file in files if file.name.startswith("bpfmapd/")]
        shutil.rmtree(GENERATED, ignore_errors=True)
        write_messages(descriptors, ours)
    contract = [file for file in ours if file.package.startswith("bpfmap.")]
    write_enums(contract)
    write_all_messages(contract)
    write_packages()


def compile_contract(target: Path) -> list[FileDescriptorProto]:
    """Compiles the contract, and returns it with all that it imports."""
    own = ROOT / "proto"
    third = ROOT / "third_party" / "proto"
    names = sorted(str(path.relative_to(own)) for path in own.rglob("*.proto"))
    protoc(
        f"--proto_path={own}",
        f"--proto_path={third}",
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={target}",
        *names,
        "google/rpc/error_details.proto",
        "google/rpc/status.proto",
    )
    return list(FileDescriptorSet.FromString(target.read_bytes()).file)


def changed(files: list[FileDescriptorProto]) -> list[FileDescriptorProto]:
    """The contract as the module's documentation says, in an order that imports allow."""
    kept = [file for file in files if file.name != DROPPED]
    for file in kept:
        file.name = renamed(file.name)
        file.dependency[:] = [renamed(name) for name in file.dependency if name != DROPPED]
        drop_rules(file)
        if file.package == "google.rpc":
            file.package = RPC_PACKAGE
            rename_types(file.message_type)
    return kept


def renamed(name: str) -> str:
    if name.startswith("google/rpc/"):
        return f"bpfmapd/_gen/google_rpc/{name.rpartition('/')[2]}"
    return f"bpfmapd/_gen/{name}" if name.startswith("bpfmap/") else name


def drop_rules(message: Message) -> None:
    """Removes the options of buf.validate, which are unknown fields here, from all below."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        values = value if field.is_repeated else [value]
        for part in values:
            drop_rules(part)
        if field.name == "options":
            value.DiscardUnknownFields()
            if not value.ListFields():
                message.ClearField("options")


def rename_types(messages: list[DescriptorProto]) -> None:
    for message in messages:
        rename_types(list(message.nested_type))
        for field in message.field:
            if field.type_name.startswith(".google.rpc."):
                field.type_name = f".{RPC_PACKAGE}.{field.type_name.removeprefix('.google.rpc.')}"


def write_messages(descriptors: Path, files: list[FileDescriptorProto]) -> None:
    plugin = Path(sys.executable).parent
    common = [f"--descriptor_set_in={descriptors}"]
    protoc(
        *common,
        f"--plugin=protoc-gen-mypy={plugin / 'protoc-gen-mypy'}",
        f"--python_out={SOURCE}",
        f"--mypy_out=quiet:{SOURCE}",
        *(file.name for file in files),
    )
    protoc(
        *common,
        f"--plugin=protoc-gen-mypy_grpc={plugin / 'protoc-gen-mypy_grpc'}",
        f"--grpc_python_out={SOURCE}",
        f"--mypy_grpc_out=quiet:{SOURCE}",
        *(file.name for file in files if file.service),
    )


def write_enums(files: list[FileDescriptorProto]) -> None:
    """The enums as Python's own: the generated ones are plain numbers."""
    parts = [
        '"""Generated from proto/ by scripts/generate.py: the enums of the contract."""\n',
        "from bpfmapd._enum import OpenEnum, OpenFlag\n",
        f"__all__ = {sorted(enum.name for file in files for enum in file.enum_type)!r}\n",
    ]
    for file in sorted(files, key=lambda file: file.name):
        comments = {
            tuple(location.path): location.leading_comments
            for location in file.source_code_info.location
        }
        for index, enum in enumerate(file.enum_type):
            parts.append(enum_class(enum, (5, index), comments))
    GENERATED.joinpath("enums.py").write_text("\n".join(parts), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--quiet", GENERATED / "enums.py"],
        check=True,
        cwd=CLIENT,
    )


def write_all_messages(files: list[FileDescriptorProto]) -> None:
    """One module with every message of the contract."""
    lines = [
        '"""Generated from proto/ by scripts/generate.py: all messages of the contract."""',
        "",
    ]
    for name in sorted(file.name for file in files):
        module = name.removesuffix(".proto").replace("/", ".")
        lines.append(f"from {module}_pb2 import *  # noqa: F403")
    GENERATED.joinpath("messages.py").write_text("\n".join([*lines, ""]), encoding="utf-8")


def enum_class(
    enum: EnumDescriptorProto, path: tuple[int, ...], comments: dict[tuple[int, ...], str]
) -> str:
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"
    base = "OpenFlag" if enum.name == "CreateFlag" else "OpenEnum"
    lines = [f"class {enum.name}({base}):", docstring(comments.get(path, enum.name))]
    for index, value in enumerate(enum.value):
        lines.append(f"    {value.name.removeprefix(prefix)} = {value.number}")
        lines.append(docstring(comments.get((*path, 2, index), value.name)))
    return "\n".join(lines) + "\n"


def docstring(comment: str) -> str:
    text = " ".join(comment.split()).replace("\\", "\\\\")
    wrapped = textwrap.fill(text, 90).replace("\n", "\n    ")
    # A quotation mark before the closing ones would end the docstring early.
    end = "\n    " if "\n" in wrapped or wrapped.endswith('"') else ""
    return f'    """{wrapped}{end}"""'


def write_packages() -> None:
    for directory in [GENERATED, *(path for path in GENERATED.rglob("*") if path.is_dir())]:
        if directory.name != "__pycache__":
            text = '"""Generated from proto/ by scripts/generate.py. Internal."""\n'
            directory.joinpath("__init__.py").write_text(text, encoding="utf-8")


def protoc(*arguments: str) -> None:
    # Another process, because protoc keeps what it read for the life of its own.
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], check=True)


if __name__ == "__main__":
    main()
