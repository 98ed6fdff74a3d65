/** The details of a selection that is made elsewhere: by themselves, for a panel beside the document. */
import type { ViewData } from "../columns.ts";
import type { Handle, Host } from "../hosts/host.ts";
import { createExplorerStore, derive, understood } from "../model/explorer_state.ts";
import { profileOf } from "../model/profile.ts";
import { ENGLISH } from "../model/words.ts";
import { Details } from "./details.tsx";
import { mountView } from "./mounting.tsx";

export function mount(element: HTMLElement, data: ViewData, host: Host): Handle {
  const { words = ENGLISH } = host;
  const store = createExplorerStore(host.state);
  const derived = derive(profileOf(data, words), store, words);
  const copy = (text: string) => navigator.clipboard.writeText(text);
  const content = () => <Details derived={derived} copy={copy} hint={words.__("Select a layer in the document.")} />;
  const mounted = mountView(element, words.__("Selection"), content, { words });
  return {
    update: patch => store.set(understood({ ...patch })),
    dispose: () => {
      store.clear();
      mounted.dispose();
    },
  };
}
