import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBase85 } from "../src/hosts/unpack.ts";

test("letters of base85 become the bytes that Python encoded", () => {
  // base64.b85encode(bytes), then "<>&" written as ",:.": lengths 0 to 5, every byte value, and the replaced letters.
  assert.deepEqual([...fromBase85("")], []);
  for (const [letters, bytes] of Object.entries(ENCODED)) assert.deepEqual([...fromBase85(letters)], bytes, letters);
});

const ENCODED: Record<string, number[]> = {
  VE: [97],
  VPX: [97, 98],
  VPaz: [97, 98, 99],
  "VPa!s": [97, 98, 99, 100],
  "VPa!sWd": [97, 98, 99, 100, 101],
  "`uqI-{{H": [250, 251, 252, 253, 254, 255],
  "00000": [0, 0, 0, 0],
  "|NsC0{{": [255, 255, 255, 255, 255],
  "^2XZA,3zhL5=H%Q": [242, 198, 218, 202, 227, 68, 187, 49, 18, 69, 253, 111],
  "d79sZo2:=Zp$fo6": [121, 154, 223, 132, 155, 173, 5, 212, 161, 10, 192, 68],
  "4MU!BiF.7B-Z3,!": [13, 67, 158, 113, 137, 122, 167, 95, 222, 49, 52, 164],
};
