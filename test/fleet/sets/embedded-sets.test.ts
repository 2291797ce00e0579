import { setsContract } from "../sets-contract/index.ts";
import { embedded } from "../support/embedded.ts";

setsContract(embedded);
