/** A page of one file's text as the host reads it, searched in the whole file. Large files are asked about first. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Host, Preview as Page } from "../hosts/host.ts";
import { visible } from "../model/text.ts";
import { count, size } from "../model/units.ts";
import { OWN_KEYS } from "./keys.ts";
import { useWords } from "./reading.ts";
import { Button, Name, TextField } from "./ui.tsx";

/** A file beyond this may take seconds to read and to take apart: only when somebody says so. */
const ASK_FIRST = 64 * 1024 * 1024;

export function Preview({ member, bytes, host }: { member: string; bytes: number; host: Host }) {
  const words = useWords();
  const [allowed, setAllowed] = useState(bytes <= ASK_FIRST);
  const [search, setSearch] = useState("");
  const [wanted, setWanted] = useState(0);
  const [page, setPage] = useState<Page | null>(null);
  const [failure, setFailure] = useState("");
  const asked = useRef(0);

  useEffect(() => {
    if (!allowed || !host.preview) return;
    const number = ++asked.current;
    host.preview({ member, page: wanted, search }).then(
      found => {
        // An answer that was overtaken by a newer question is not shown.
        if (number !== asked.current) return;
        setPage(found);
        setFailure("");
      },
      (error: unknown) =>
        number === asked.current && setFailure(error instanceof Error ? error.message : String(error)),
    );
    return () => {
      asked.current++;
    };
  }, [allowed, member, wanted, search]);

  if (!allowed) {
    return (
      <div>
        <p>
          <Name text={member} /> {words.__("has %1; reading it takes a while.", size(bytes))}
        </p>
        <Button onClick={() => setAllowed(true)}>{words.__("Show it")}</Button>
      </div>
    );
  }
  const hitPages = page?.hit_pages ?? [];
  const next = hitPages.find(at => at > (page?.page ?? 0)) ?? hitPages[0];
  return (
    <div class="sima-preview">
      <div class="sima-controls">
        <TextField
          label={words.__("Search in %1", visible(member.slice(-60)))}
          value={search}
          onInput={text => {
            setSearch(text);
            setWanted(0);
          }}
        />
        {page && page.pages > 1 && (
          <span class="sima-buttons">
            <Button label={words.__("Page before")} disabled={page.page === 0} onClick={() => setWanted(page.page - 1)}>
              {"\u2039"}
            </Button>
            <span class="sima-note">{words.__("page %1 of %2", count(page.page + 1), count(page.pages))}</span>
            <Button
              label={words.__("Next page")}
              disabled={page.page + 1 >= page.pages}
              onClick={() => setWanted(page.page + 1)}
            >
              {"\u203a"}
            </Button>
          </span>
        )}
        {search && next !== undefined && (
          <Button onClick={() => setWanted(next)} disabled={hitPages.length < 2}>
            {words.__("Next page with hits")}
          </Button>
        )}
      </div>
      <p role="status" class="sima-note">
        {failure
          ? ""
          : !page
            ? words.__("Reading …")
            : search
              ? words.__("%1 lines have it.", count(page.hits ?? 0))
              : `${page.kind}, ${size(bytes)}`}
      </p>
      {failure && (
        <p class="sima-error" role="alert">
          {visible(failure)}
        </p>
      )}
      {page && <Lines page={page} search={search} />}
    </div>
  );
}

function Lines({ page, search }: { page: Page; search: string }) {
  const words = useWords();
  if (page.kind === "refused") return <p class="sima-error">{page.lines.map(visible).join(" ")}</p>;
  return (
    <div
      class="sima-lines"
      tabIndex={0}
      role="region"
      aria-label={words.__("Lines of %1", visible(page.member))}
      {...OWN_KEYS}
    >
      <pre>
        {page.lines.map((line, at) => {
          const shown = visible(line);
          const hit = search !== "" && shown.toLowerCase().includes(search.toLowerCase());
          return (
            <span key={page.first_line + at} class={hit ? "sima-hit" : undefined} data-line={page.first_line + at}>
              {shown}
              {"\n"}
            </span>
          );
        })}
      </pre>
    </div>
  );
}
