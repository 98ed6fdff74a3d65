/** What the server says of checks and jobs; names are those of the command line's JSON. */

export interface Obstacle {
  readonly node: string;
  readonly operator: string;
  readonly found: string;
  readonly rule: string;
  readonly hint: string;
}

export interface CheckReport {
  readonly kind: "quantized" | "float" | "dynamically quantized" | "weight-only quantized" | "not readable";
  readonly compiles: boolean;
  readonly verdict: string;
  readonly nodes: number;
  readonly macs: number | null;
  readonly obstacles: readonly Obstacle[];
  readonly left_to_host: readonly string[];
  readonly warnings: readonly string[];
}

export interface JobRequest {
  readonly path: string;
  readonly output_path: string;
  readonly batch_size: number;
  readonly compress: boolean;
  /** 0: all that the machine has. */
  readonly quads: number;
  readonly machine: string;
  readonly input_shape: readonly string[];
  /** A file of samples, or how many random ones; one of the two, for float models. */
  readonly calibration?: string;
  readonly calibration_random?: number;
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled" | "interrupted";

export interface Job {
  readonly id: string;
  /** The model. */
  readonly path: string;
  readonly output_path: string;
  readonly state: JobState;
  /** Seconds since 1970. */
  readonly created: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly stages: readonly { readonly stage: string; readonly done: number; readonly total: number }[];
  readonly result: JobResult | null;
  readonly error: { readonly type: string; readonly message: string; readonly hint: string } | null;
}

export interface JobResult {
  /** The archive. */
  readonly path: string;
  readonly desired_batch_size: number;
  readonly actual_batch_size: number;
  readonly runtime_cycles: number;
  readonly reason: string;
  readonly warnings: readonly string[];
}

export function isActive(job: Job): boolean {
  return job.state === "queued" || job.state === "running";
}

/** How far a job is, from 0 to 1: stages are not equally long, so this says which one it is in, not how long it takes. */
export function shareOf(job: Job): number {
  const last = job.stages[job.stages.length - 1];
  return last && last.total > 0 ? Math.min(1, last.done / last.total) : 0;
}
