/** One thing that `doctor` looked at. Only Failed stands in the way of an undo. */
export interface Finding {
  readonly check: string;
  readonly state: "Ok" | "Warning" | "Failed";
  readonly message: string;
}
