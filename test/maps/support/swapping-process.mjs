// Makes `way` in a directory now a directory, now a symbolic link to another place, as fast
// as it can until it is killed. Arguments: the directory, the other place.
import { mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const [directory, elsewhere] = process.argv.slice(2);
const at = (name) => join(directory, name);
mkdirSync(at("kept"));
symlinkSync(elsewhere, at("link"));
renameSync(at("kept"), at("way"));
console.log("swapping");
for (let round = 0; ; round++) {
  keep();
  replace("link", "way", round);
  renameSync(at("way"), at("link"));
  replace("kept", "way", round);
}

/** Takes the directory away; makes one where somebody has removed it, as it was empty. */
function keep() {
  try {
    renameSync(at("way"), at("kept"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    mkdirSync(at("kept"));
  }
}

/** Renames, also where somebody has made a directory of the new name meanwhile. */
function replace(from, to, round) {
  for (let more = 0; ; more++) {
    try {
      renameSync(at(from), at(to));
      return;
    } catch (error) {
      if (!["ENOTEMPTY", "EISDIR", "EEXIST"].includes(error.code)) throw error;
      moveAway(to, `${from}${round}_${more}`);
    }
  }
}

function moveAway(name, to) {
  try {
    renameSync(at(name), at(to));
  } catch (error) {
    // Whoever made it has removed it.
    if (error.code !== "ENOENT") throw error;
  }
}
