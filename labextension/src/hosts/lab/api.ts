/** The server's side of the extension as functions: each asks one address and gives what came, or throws a `Refusal`. */
import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";

import { translated, translatedTotals } from "../../model/translated.ts";
import type { Words } from "../../model/words.ts";
import { openParcel, type Parcel } from "../../parcel.ts";
import type { Preview, PreviewRequest } from "../host.ts";
import type { CheckReport, Job, JobRequest } from "./job.ts";

/** An error in the server's own form. `status` is 0 where the server could not be reached. */
export class Refusal extends Error {
  readonly type: string;
  readonly hint: string;
  readonly status: number;

  constructor(type: string, message: string, hint: string, status: number) {
    super(message);
    this.type = type;
    this.hint = hint;
    this.status = status;
  }

  /** Message and hint in one line. */
  get sentence(): string {
    return [this.message, this.hint].filter(Boolean).join(" \u2013 ");
  }
}

type Query = Readonly<Record<string, string | number | readonly string[]>>;

export class Api {
  private readonly settings: ServerConnection.ISettings;
  private readonly words: Words;

  constructor(settings: ServerConnection.ISettings, words: Words) {
    this.settings = settings;
    this.words = words;
  }

  view(path: string, signal?: AbortSignal): Promise<Parcel> {
    return this.parcel("view", { path }, signal);
  }

  comparison(before: string, after: string, signal?: AbortSignal): Promise<Parcel> {
    return this.parcel("comparison", { before, after }, signal);
  }

  /** The report as one offline page. */
  async page(path: string): Promise<Blob> {
    const response = await this.ask("GET", "page", { path });
    return response.blob();
  }

  /** What changes whenever the file does; null where it is gone. */
  async identity(path: string): Promise<string | null> {
    const found = await this.json<{ identity: string | null }>("GET", "state", { path });
    return found.identity;
  }

  preview(path: string, { member, page, search }: PreviewRequest): Promise<Preview> {
    return this.json("GET", "member", { path, member, page, search });
  }

  extract(path: string, members: readonly string[]): Promise<{ folder: string; files: readonly string[] }> {
    return this.json("POST", "extract", {}, { path, members });
  }

  /** The model that an archive was compiled from, or null where the server cannot tell. */
  async source(path: string): Promise<string | null> {
    const found = await this.json<{ path: string | null }>("GET", "source", { path });
    return found.path;
  }

  /** What `simac check` says; `shapes` are `name=1x3x224x224`. */
  check(path: string, shapes: readonly string[], signal?: AbortSignal): Promise<CheckReport> {
    return this.json("GET", "check", { path, input_shape: [...shapes] }, undefined, signal);
  }

  async jobs(path?: string): Promise<readonly Job[]> {
    const found = await this.json<{ jobs: readonly Job[] }>("GET", "jobs", path === undefined ? {} : { path });
    return found.jobs;
  }

  submit(request: JobRequest): Promise<Job> {
    return this.json("POST", "jobs", {}, request);
  }

  /** Text of the log from `offset` on, and the offset behind it. */
  log(id: string, offset: number): Promise<{ text: string; offset: number }> {
    return this.json("GET", `jobs/${id}/log`, { offset });
  }

  /** Cancels a job that waits or runs, forgets one that has ended. */
  async remove(id: string): Promise<void> {
    await this.ask("DELETE", `jobs/${id}`, {});
  }

  private async parcel(end: string, query: Query, signal?: AbortSignal): Promise<Parcel> {
    const response = await this.ask("GET", end, query, undefined, signal);
    const parcel = openParcel(await response.arrayBuffer());
    const { words } = this;
    return {
      ...parcel,
      views: parcel.views.map(view => translated(view, words)),
      compared: parcel.compared && translatedTotals(parcel.compared, words),
    };
  }

  private async json<Value>(
    method: string,
    end: string,
    query: Query,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<Value> {
    const response = await this.ask(method, end, query, body, signal);
    return (await response.json()) as Value;
  }

  private async ask(method: string, end: string, query: Query, body?: unknown, signal?: AbortSignal) {
    const address = URLExt.join(this.settings.baseUrl, "sima-nb/api", end);
    const url = address + written(query);
    const init: RequestInit = { method, signal: signal ?? null, cache: "no-store" };
    if (body !== undefined) init.body = JSON.stringify(body);
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Refusal("NetworkError", this.words.__("the server cannot be reached"), "", 0);
    }
    if (!response.ok) throw await refusalOf(response, this.words);
    return response;
  }
}

/** The query of an address; a list stands there once for each of its items. */
function written(query: Query): string {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) words.append(name, String(one));
  }
  const text = words.toString();
  return text && `?${text}`;
}

async function refusalOf(response: Response, words: Words): Promise<Refusal> {
  const text = await response.text();
  try {
    const { type, message, hint } = (JSON.parse(text) as { error: Refusal }).error;
    return new Refusal(type, message, hint, response.status);
  } catch {
    const missing = words.__(
      "the server side of sima-nb is not running: install it where Jupyter Server runs, and restart that",
    );
    return new Refusal("HTTPError", response.status === 404 ? missing : response.statusText, "", response.status);
  }
}
