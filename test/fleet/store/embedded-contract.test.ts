import { storeContract } from "../store-contract/index.ts";
import { embedded } from "../support/embedded.ts";

storeContract(embedded);
