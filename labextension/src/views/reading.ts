/** The words that a view's parts read, wherever they stand below `mountView`. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";

import { ENGLISH, type Words } from "../model/words.ts";

export const Reading = createContext<Words>(ENGLISH);

export function useWords(): Words {
  return useContext(Reading);
}
