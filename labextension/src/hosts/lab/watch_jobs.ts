/**
 * The server's jobs as a store that several places look at: asked for often while one is active, seldom otherwise, and not
 * at all while nobody looks.
 */
import { createStore, type Store } from "../../model/store.ts";
import type { Api } from "./api.ts";
import { Claims } from "./claims.ts";
import { isActive, type Job, type JobRequest } from "./job.ts";

export interface JobsState {
  readonly jobs: readonly Job[];
  /** Why the list is not what it should be, or empty. */
  readonly problem: string;
}

// A compile of a second still shows some progress, and asking costs the server a few milliseconds; an idle list only tells
// of jobs that another page began.
const BUSY_MS = 400;
const IDLE_MS = 5000;

export class JobsWatch {
  readonly store: Store<JobsState> = createStore<JobsState>({ jobs: [], problem: "" });
  private readonly api: Api;
  private readonly onDone: (job: Job) => void;
  /** Jobs that were active when this page looked last: their end is told, that of older ones is not. */
  private readonly awaited = new Set<string>(remembered());
  private readonly claims = new Claims();
  private watchers = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, onDone: (job: Job) => void) {
    this.api = api;
    this.onDone = onDone;
  }

  /** Look for as long as somebody watches; gives the function that ends it. */
  watch(listener: (state: JobsState) => void): () => void {
    const release = this.store.watch(listener);
    this.watchers += 1;
    void this.look();
    return () => {
      release();
      this.watchers -= 1;
    };
  }

  async submit(request: JobRequest): Promise<Job> {
    const job = await this.api.submit(request);
    if (await this.claims.take(job.id)) this.awaited.add(job.id);
    remember(this.awaited);
    await this.look();
    return job;
  }

  async remove(job: Job): Promise<void> {
    await this.api.remove(job.id);
    await this.look();
  }

  /** Ask now, and again after a while. */
  async look(): Promise<void> {
    clearTimeout(this.timer);
    try {
      const jobs = await this.api.jobs();
      this.store.set({ jobs, problem: "" });
      await this.tellEnds(jobs);
    } catch (error) {
      this.store.set({ problem: error instanceof Error ? error.message : String(error) });
    }
    clearTimeout(this.timer);
    const busy = this.store.get().jobs.some(isActive);
    if (this.watchers > 0 || busy) this.timer = setTimeout(() => void this.look(), busy ? BUSY_MS : IDLE_MS);
  }

  private async tellEnds(jobs: readonly Job[]): Promise<void> {
    for (const job of jobs) {
      if (isActive(job)) {
        if (await this.claims.take(job.id)) this.awaited.add(job.id);
      } else if (this.awaited.delete(job.id) && job.state === "done") this.onDone(job);
    }
    remember(this.awaited);
  }
}

/** Where this tab of the browser keeps what it waits for: a job may end while the page is loaded again. */
const PLACE = "sima-nb:awaited";

function remembered(): string[] {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(PLACE) ?? "[]");
    return Array.isArray(found) ? found.filter(item => typeof item === "string") : [];
  } catch {
    return [];
  }
}

function remember(awaited: ReadonlySet<string>): void {
  try {
    sessionStorage.setItem(PLACE, JSON.stringify([...awaited]));
  } catch {
    // A browser that keeps nothing: a job that ends during a reload is found in the list.
  }
}
