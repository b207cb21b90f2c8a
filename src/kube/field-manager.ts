/** Under this name the API server keeps what our acts wrote (`managedFields`). */
export const FIELD_MANAGER = "rollback-operator";
