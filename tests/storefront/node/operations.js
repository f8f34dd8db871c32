/** Prints the client's operations, for test_client.py to hold against docs/openapi.yaml. */
import { operations } from "../../../shop/storefront/static/storefront/api/operations.js";

console.log(JSON.stringify(operations));
