/**
 * Which tab of the browser a job's result opens in: the one that began it, else the first that found it at work.
 *
 * A claim is a lock of the browser's, which goes with its tab. Where a browser has none (no secure context), every tab
 * that finds a job at work opens its result.
 */
export class Claims {
  /** Asked once for each job: a tab that is loaded again must not lose its job to one that looks on. */
  private readonly asked = new Map<string, Promise<boolean>>();

  /** Whether the job is this tab's: it is, unless another one that was open when this was first asked has it. */
  take(id: string): Promise<boolean> {
    const known = this.asked.get(id) ?? claimed(id);
    this.asked.set(id, known);
    return known;
  }
}

function claimed(id: string): Promise<boolean> {
  const locks = (navigator as Partial<Navigator>).locks;
  if (!locks) return Promise.resolve(true);
  return new Promise(settle => {
    void locks.request(`sima-nb:job:${id}`, { ifAvailable: true }, lock => {
      settle(lock !== null);
      return lock === null ? undefined : new Promise(() => undefined); // held until the tab goes
    });
  });
}
