import { readFileSync } from "node:fs";
import { openEmbeddedStore, openEtcdStore, type Store } from "../fleet/index.js";
import type { Config } from "./config.js";
import { ExitCode, StartError } from "./exit-code.js";

type StoreSettings = Config["fleet"]["store"];

/** Opens the store of a fleet: on etcd where endpoints are set, or else embedded. Throws a StartError. */
export async function openFleetStore(settings: StoreSettings): Promise<Store> {
  const { directory, etcd } = settings;
  try {
    if (etcd.endpoints.length > 0) return openEtcd(etcd);
    return await openEmbeddedStore({ directory });
  } catch (cause) {
    throw new StartError(ExitCode.FAILED, `fleet.store: ${(cause as Error).message}`, { cause });
  }
}

function openEtcd(settings: StoreSettings["etcd"]): Store {
  const { endpoints, prefix, ca, cert, key, user, password_file: passwordFile } = settings;
  const tls = {
    ...(ca && { ca: readFileSync(ca) }),
    ...(cert && { cert: readFileSync(cert) }),
    ...(key && { key: readFileSync(key) }),
  };
  const password = passwordFile && readFileSync(passwordFile, "utf8").trimEnd();
  return openEtcdStore({
    ...{ endpoints, prefix },
    ...(Object.keys(tls).length > 0 && { tls }),
    ...(user !== undefined && { user: { name: user, password: password ?? "" } }),
  });
}
