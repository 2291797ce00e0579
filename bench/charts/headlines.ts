import type { Row } from "../harness/row.js";

/** A row of the results that the chart shows. */
export interface Headline {
  label: string;
  case: string;
  /** How the names of the row's subject and peer begin. */
  subject: string;
  peer: string;
  /** What the ratio should at least be, where more is better, or at most. */
  target?: number;
}

export interface Section {
  title: string;
  headlines: Headline[];
}

const GO = { subject: "DumpMap to the Go client" };
const LOAD = { subject: "LoadMap from the Go client" };
const JSON_DUMP = { ...GO, peer: "bpftool -j" };
const LOOP = "C loop";
const REFERENCE = "grpc-go and cilium/ebpf";
const daemon = (callers: string) => ({ subject: `the daemon, ${callers}`, peer: REFERENCE });

/** What is asked of the service, and what it does. */
export const sections: Section[] = [
  {
    title: "beside bpftool on the host",
    headlines: [
      { label: "dump, 4+8 bytes (-j)", case: "dump-h48", ...JSON_DUMP, target: 10 },
      { label: "dump, 16+64 bytes (-j)", case: "dump-h1664", ...JSON_DUMP, target: 14 },
      { label: "dump, MMAPABLE array (-j)", case: "dump-go-mmapable", ...JSON_DUMP, target: 50 },
      { label: "load by id, 4+8", case: "load-id-h48", ...LOAD, peer: "bpftool", target: 7 },
      { label: "load by id, 16+64", case: "load-id-h1664", ...LOAD, peer: "bpftool", target: 7 },
      { label: "load by pin, 4+8", case: "load-pin-h48", ...LOAD, peer: "bpftool", target: 12 },
      { label: "load by pin, 16+64", case: "load-pin-h1664", ...LOAD, peer: "bpftool", target: 12 },
    ],
  },
  {
    title: "beside a server with grpc-go and cilium/ebpf",
    headlines: [
      { label: "dump, 4+8", case: "dump-go-h48", ...GO, peer: REFERENCE, target: 1 },
      { label: "dump, 16+64", case: "dump-go-h1664", ...GO, peer: REFERENCE, target: 1 },
      { label: "dump, LRU hash", case: "dump-go-lru", ...GO, peer: REFERENCE },
      { label: "dump, LPM trie", case: "dump-go-lpm", ...GO, peer: REFERENCE },
      {
        ...{ label: "dump over TLS, 16+64", case: "dump-tls-h1664" },
        ...{ subject: "DumpMap over TLS", peer: "grpc-go and cilium/ebpf, TLS" },
      },
      {
        ...{ label: "dump, 4+8, beside rows", case: "dump-go-h48" },
        ...{ ...GO, peer: "grpc-go, a message" },
      },
      { label: "load, 4+8", case: "load-go-h48", ...LOAD, peer: REFERENCE, target: 1 },
      { label: "load, 16+64", case: "load-go-h1664", ...LOAD, peer: REFERENCE, target: 1 },
      {
        ...{ label: "lookup, 1 caller: latency", case: "lookups-go-1" },
        ...{ ...daemon("1 caller, p50"), target: 1.5 },
      },
      {
        ...{ label: "lookup, 64 callers: rate", case: "lookups-go-64" },
        ...{ ...daemon("64 callers, each"), target: 0.6 },
      },
      {
        ...{ label: "lookup, 64 callers: server CPU", case: "lookups-go-64" },
        ...daemon("64 callers, server CPU"),
      },
      {
        ...{ label: "lookup, 64 callers gathered: rate", case: "lookups-go-64" },
        ...{ ...daemon("batching, 64 callers, each"), target: 5 },
      },
    ],
  },
  {
    title: "beside the limit: batch calls in C, the bare stream, plain TCP",
    headlines: [
      { label: "dump, 4+8", case: "dump-go-h48", ...GO, peer: LOOP, target: 0.9 },
      { label: "dump, 16+64", case: "dump-go-h1664", ...GO, peer: LOOP, target: 0.75 },
      { label: "load, 4+8", case: "load-go-h48", ...LOAD, peer: LOOP, target: 0.75 },
      { label: "load, 16+64", case: "load-go-h1664", ...LOAD, peer: LOOP, target: 0.75 },
      {
        ...{ label: "dump, MMAPABLE array: bare stream", case: "dump-go-mmapable" },
        ...{ ...GO, peer: "grpc-go, out of memory", target: 1 },
      },
      ...["h48", "h1664"].map((shape) => ({
        ...{ label: `dump over TLS, ${shape === "h48" ? "4+8" : "16+64"}: plain TCP` },
        ...{ case: `dump-tls-${shape}`, subject: "DumpMap over TLS" },
        ...{ peer: "DumpMap over plain TCP", target: 0.6 },
      })),
      ...["h48", "h1664"].map((shape) => ({
        ...{ label: `scan of a watched map, ${shape === "h48" ? "4+8" : "16+64"}` },
        ...{ case: `watch-scan-${shape}`, subject: "scan of a watched map, CPU" },
        ...{ peer: LOOP, target: 1.25 },
      })),
      {
        ...{ label: "records out of a ring buffer", case: "records" },
        ...{ subject: "ReadRecords", peer: LOOP },
      },
    ],
  },
  {
    title: "beside the bounds that the design sets for watches",
    headlines: [
      bound("change by the service to its event", "watch-latency", "p50 by the service"),
      bound("change by bpf(2) to its event", "watch-latency", "p50 by bpf(2), best"),
      bound("CPU for 1 M elements a second", "watch-cpu", "polled"),
      bound("memory an element, 4+8", "watch-memory", "a watched map of 1 M elements, 4+8"),
      bound("memory an element, 16+64", "watch-memory", "a watched map of 1 M elements, 16+64"),
      bound("scan of a MMAPABLE array", "watch-mmap-scan", "scan in place"),
    ],
  },
];

function bound(label: string, name: string, subject: string): Headline {
  return { label, case: name, subject, peer: "bound", target: 1 };
}

/** The row of a headline; undefined where it was not measured. */
export function rowOf(headline: Headline, rows: readonly Row[]): Row | undefined {
  return rows.find(
    (row) =>
      row.case === headline.case &&
      row.subject.startsWith(headline.subject) &&
      row.peer.startsWith(headline.peer),
  );
}
