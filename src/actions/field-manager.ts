export { FIELD_MANAGER } from "../kube/field-manager.ts";
