import { rolloutContract } from "../rollout-contract/index.ts";
import { embedded } from "../support/embedded.ts";

rolloutContract(embedded);
