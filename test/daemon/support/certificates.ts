import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./run.js";

/** A certificate with its key, as files and as bytes. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** A certificate authority that goes with the test. */
export interface Authority extends Certificate {
  /** @param names subject alternative names; for localhost and 127.0.0.1 unless given */
  issue(name: string, names?: string): Certificate;
  /** Path of a list of the certificates that are revoked now. */
  revoke(...certificates: Certificate[]): string;
}

/** Makes a new authority. */
export function createAuthority(): Authority {
  const directory = temporaryDirectory();
  const files = (name: string) => ({
    certFile: join(directory, `${name}.pem`),
    keyFile: join(directory, `${name}.key`),
  });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const read = (name: string): Certificate => {
    const { certFile, keyFile } = files(name);
    return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) };
  };
  const ca = files("ca");
  const caOut = ["-keyout", ca.keyFile, "-out", ca.certFile];
  openssl("req", "-x509", ...newKey, ...caOut, "-days", "2", "-subj", "/CN=bpfmapd test CA");
  return {
    ...read("ca"),
    issue(name, names = "DNS:localhost,IP:127.0.0.1") {
      const { certFile, keyFile } = files(name);
      const request = join(directory, `${name}.csr`);
      const extensions = join(directory, `${name}.ext`);
      writeFileSync(extensions, `subjectAltName=${names}\n`);
      openssl("req", ...newKey, "-keyout", keyFile, "-out", request, "-subj", `/CN=${name}`);
      const signer = ["-CA", ca.certFile, "-CAkey", ca.keyFile, "-CAcreateserial"];
      const out = ["-out", certFile, "-days", "2", "-extfile", extensions];
      openssl("x509", "-req", "-in", request, ...signer, ...out);
      return read(name);
    },
    revoke(...certificates) {
      const [config, list] = [join(directory, "ca.cnf"), join(directory, "crl.pem")];
      writeFileSync(join(directory, "index.txt"), "", { flag: "a" });
      writeFileSync(config, revocationConfig(directory));
      const signed = ["ca", "-config", config, "-keyfile", ca.keyFile, "-cert", ca.certFile];
      for (const { certFile } of certificates) openssl(...signed, "-revoke", certFile);
      openssl(...signed, "-gencrl", "-out", list);
      return list;
    },
  };
}

function revocationConfig(directory: string): string {
  const settings = { database: join(directory, "index.txt"), default_md: "sha256" };
  const lines = Object.entries({ ...settings, default_crl_days: "2" });
  return `[ca]\ndefault_ca = own\n[own]\n${lines.map((line) => line.join(" = ")).join("\n")}\n`;
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}
