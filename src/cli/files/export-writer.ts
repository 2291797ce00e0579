import {
  type Map as BpfMap,
  ByteOrder,
  type DumpSummary,
  type Elements,
  type ExportRecord,
  ExportRecordSchema,
  type Host,
} from "@bpfmapd/client/proto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { DumpSink } from "../dump-printer.js";
import { EXPORT_FORMAT, ExportDigest } from "./export-reader.js";
import { AS_IT_IS, type ObjectTranslation } from "./object-translation.js";

/** Writes the dump of a map as the records of an export file. */
export class ExportWriter implements DumpSink {
  readonly #host: Host;
  readonly #translation: ObjectTranslation;
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #digest = new ExportDigest();
  /** Elements written. */
  count = 0n;

  constructor(
    host: Host,
    write: (bytes: Uint8Array) => Promise<void>,
    translation: ObjectTranslation = AS_IT_IS,
  ) {
    this.#host = host;
    this.#translation = translation;
    this.#write = write;
  }

  header(map: BpfMap): Promise<void> {
    return this.#record({
      case: "header",
      value: {
        format: EXPORT_FORMAT,
        map: { ...map, ...this.#translation.more },
        littleEndian: this.#host.byteOrder === ByteOrder.LITTLE_ENDIAN,
        exportedAt: timestampNow(),
      },
    });
  }

  elements(elements: Elements): Promise<void> {
    const objectValues = elements.objectValues.map(this.#translation.translate);
    const translated = { ...elements, objectValues };
    this.#digest.add(translated);
    return this.#record({ case: "elements", value: translated });
  }

  summary(summary: DumpSummary): Promise<void> {
    const { count, sha256 } = this.#digest.finish();
    this.count = count;
    return this.#record({
      case: "trailer",
      value: { count, complete: summary.complete, sha256 },
    });
  }

  #record(kind: MessageInitShape<typeof ExportRecordSchema>["kind"]): Promise<void> {
    const record: ExportRecord = create(ExportRecordSchema, { kind } as { kind: never });
    const bytes = toBinary(ExportRecordSchema, record);
    if (record.kind.case === "header") this.#digest.addHeader(bytes);
    return this.#write(new BinaryWriter().bytes(bytes).finish());
  }
}
