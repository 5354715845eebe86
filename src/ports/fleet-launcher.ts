/** Starts generate workers. It only ever asks for more: a worker ends itself when it has been idle. */
export interface FleetLauncher {
  /** Makes sure that `count` workers run or are starting. */
  want(count: number): Promise<void>;
}
