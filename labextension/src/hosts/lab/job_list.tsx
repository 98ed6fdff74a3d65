/** Jobs with their progress, log and end: those of one model, or all. */
import { PathExt } from "@jupyterlab/coreutils";
import type { TranslationBundle } from "@jupyterlab/translation";
import { useEffect, useRef, useState } from "preact/hooks";

import { visible } from "../../model/text.ts";
import { count } from "../../model/units.ts";
import { OWN_KEYS } from "../../views/keys.ts";
import { Button } from "../../views/ui.tsx";
import { isActive, type Job, type JobState, shareOf } from "./job.ts";
import type { Services } from "./services.ts";
import type { JobsState } from "./watch_jobs.ts";

export function JobList({ services, path }: { services: Services; path?: string }) {
  const { trans } = services;
  const { jobs, problem } = useJobs(services);
  const shown = jobs.filter(job => path === undefined || job.path === path);
  return (
    <>
      {problem && (
        <p class="sima-error" role="alert">
          {visible(problem)}
        </p>
      )}
      {shown.length === 0 && !problem && <p class="sima-note">{trans.__("None yet.")}</p>}
      <ul class="sima-jobs">
        {shown.map(job => (
          <JobRow key={job.id} job={job} services={services} named={path === undefined} />
        ))}
      </ul>
    </>
  );
}

function useJobs({ jobs }: Services): JobsState {
  const [state, setState] = useState(jobs.store.get());
  useEffect(() => jobs.watch(setState), [jobs]);
  return state;
}

function stateLabel(state: JobState, trans: TranslationBundle): string {
  const labels: Readonly<Record<JobState, string>> = {
    queued: trans.__("waiting"),
    running: trans.__("running"),
    done: trans.__("done"),
    failed: trans.__("failed"),
    cancelled: trans.__("cancelled"),
    interrupted: trans.__("interrupted: the server ended before it did"),
  };
  return labels[state];
}

/** Stages as the compiler names them; one that this release does not know is its own label. */
function stageLabel(stage: string, trans: TranslationBundle): string {
  const labels: Readonly<Record<string, string>> = {
    read: trans.__("reading the model"),
    quantize: trans.__("quantizing it"),
    lower: trans.__("lowering"),
    plan: trans.__("planning"),
    levers: trans.__("planning what would help"),
    encode: trans.__("encoding"),
    archive: trans.__("writing the archive"),
  };
  return labels[stage] ?? stage;
}

function JobRow({ job, services, named }: { job: Job; services: Services; named: boolean }) {
  const { trans, commands, jobs } = services;
  const [log, setLog] = useState(false);
  const what = PathExt.basename(job.path);
  const open = (path: string) => void commands.execute("docmanager:open", { path });
  return (
    <li class="sima-job" data-state={job.state}>
      <div class="sima-heading">
        <span>
          {named && <b>{visible(job.path)} </b>}
          <span class="sima-tag">{stateLabel(job.state, trans)}</span> <Times job={job} trans={trans} />
        </span>
        <span class="sima-buttons">
          {job.result && (
            <Button label={trans.__("Open %1", job.result.path)} onClick={() => open(job.result?.path ?? "")}>
              {trans.__("Open")}
            </Button>
          )}
          {named && (
            <Button label={trans.__("Open %1", job.path)} onClick={() => open(job.path)}>
              {trans.__("Model")}
            </Button>
          )}
          <Button label={trans.__("Log of %1", what)} pressed={log} onClick={() => setLog(!log)}>
            {trans.__("Log")}
          </Button>
          <Button
            label={
              isActive(job) ? trans.__("Cancel the compile of %1", what) : trans.__("Forget the compile of %1", what)
            }
            onClick={() => void jobs.remove(job).catch(() => jobs.look())}
          >
            {isActive(job) ? trans.__("Cancel") : trans.__("Forget")}
          </Button>
        </span>
      </div>
      <Told job={job} trans={trans} />
      {log && <Log job={job} services={services} />}
    </li>
  );
}

function Times({ job, trans }: { job: Job; trans: TranslationBundle }) {
  const started = job.started ?? job.created;
  const seconds = Math.max(0, (job.ended ?? Date.now() / 1000) - started);
  return (
    <small class="sima-note">
      {new Date(1000 * job.created).toLocaleString()}
      {job.started !== null && `, ${trans.__("%1 s", seconds.toFixed(seconds < 10 ? 1 : 0))}`}
    </small>
  );
}

/** What became of a job, or how far it is. */
function Told({ job, trans }: { job: Job; trans: TranslationBundle }) {
  const last = job.stages[job.stages.length - 1];
  if (job.state === "running") {
    const text = last
      ? `${stageLabel(last.stage, trans)} ${count(last.done)}/${count(last.total)}`
      : trans.__("starting");
    return (
      <div class="sima-progress">
        <progress max={1} value={shareOf(job)} aria-label={trans.__("Progress of the present stage")} />
        <span>{visible(text)}</span>
      </div>
    );
  }
  if (job.error) {
    return (
      <p class="sima-error">
        {visible(job.error.message)} {visible(job.error.hint)}
      </p>
    );
  }
  if (!job.result) return null;
  const { path, desired_batch_size, actual_batch_size, runtime_cycles, warnings } = job.result;
  const batch = trans.__("batch %1 asked for, %2 built", String(desired_batch_size), String(actual_batch_size));
  return (
    <>
      <p>
        {visible(path)}: {batch}, {trans.__("%1 cycles", count(runtime_cycles))}
      </p>
      {warnings.map(warning => (
        <p class="sima-note" key={warning}>
          {visible(warning)}
        </p>
      ))}
    </>
  );
}

const FOLLOW_MS = 1000;

/** The log, followed while the job runs; only its last lines are kept in the page. */
function Log({ job, services }: { job: Job; services: Services }) {
  const { api, settings, trans } = services;
  const [lines, setLines] = useState<readonly string[]>([]);
  const end = useRef<HTMLPreElement>(null);
  const active = isActive(job);
  useEffect(() => {
    let [offset, ended] = [0, false];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async () => {
      const piece = await api.log(job.id, offset).catch(() => null);
      if (ended || piece === null) return;
      const more = piece.offset > offset;
      const fresh = offset === 0;
      offset = piece.offset;
      const news = piece.text.split("\n").slice(0, -1);
      if (more || fresh) setLines(known => [...(fresh ? [] : known), ...news].slice(-settings.values.logLines));
      if (more || active) timer = setTimeout(() => void read(), more ? 0 : FOLLOW_MS);
    };
    void read();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [job.id, active]);
  useEffect(() => end.current?.scrollTo({ top: end.current.scrollHeight }), [lines]);
  return (
    <pre
      ref={end}
      class="sima-log"
      tabIndex={0}
      role="log"
      aria-label={trans.__("Log of %1", PathExt.basename(job.path))}
      {...OWN_KEYS}
    >
      {lines.length ? lines.map(visible).join("\n") : trans.__("Nothing yet.")}
    </pre>
  );
}
