/** The backtest cannot go on; the message says why, where, and what to do next. */
export class BacktestError extends Error {
  override readonly name = "BacktestError";
}
