import { CliError } from "../cli-error.js";

/**
 * The scripts only ask `bpfmapctl complete -- WORDS...` and show what it answers: a word
 * a line, with a description after a tab; ":files" asks for the names of files as well.
 * Words go as arguments and are never evaluated by the shell.
 */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for bpfmapctl
_bpfmapctl() {
  local -a words=()
  local word line glue= i
  # Readline cuts words at ":" and "="; they are put together again.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if ((\${#words[@]} > 0)) && [[ -n $glue || $word == [:=]* ]]; then
      words[\${#words[@]}-1]+=$word
    else
      words+=("$word")
    fi
    glue=
    [[ $word == *[:=] ]] && glue=1
  done
  local prefix=
  [[ \${COMP_WORDS[COMP_CWORD]} != "\${words[\${#words[@]}-1]}" ]] &&
    prefix=\${words[\${#words[@]}-1]%"\${COMP_WORDS[COMP_CWORD]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r word; do
        COMPREPLY+=("$word")
      done < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
    else
      line=\${line%%$'\\t'*}
      COMPREPLY+=("\${line#"$prefix"}")
    fi
  done < <(bpfmapctl complete -- "\${words[@]}" 2>/dev/null)
}
complete -F _bpfmapctl bpfmapctl
`,
  zsh: `#compdef bpfmapctl
# zsh completion for bpfmapctl
_bpfmapctl() {
  local line word
  local -a found files
  for line in "\${(@f)$(bpfmapctl complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == :files ]]; then
      files=(yes)
    elif [[ -n $line ]]; then
      word=\${\${line%%$'\\t'*}//:/\\\\:}
      if [[ $line == *$'\\t'* ]]; then
        found+=("$word:\${line#*$'\\t'}")
      else
        found+=("$word")
      fi
    fi
  done
  (( \${#found} )) && _describe -V bpfmapctl found
  (( \${#files} )) && _files
}
if [[ \${funcstack[1]} == _bpfmapctl ]]; then
  _bpfmapctl "$@"
else
  compdef _bpfmapctl bpfmapctl
fi
`,
  fish: `# fish completion for bpfmapctl
function __bpfmapctl_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in (bpfmapctl complete -- $words[2..] "$current" 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path "$current"
    else
      echo $line
    end
  end
end
complete -c bpfmapctl -f -a '(__bpfmapctl_complete)'
`,
};

export const SHELLS = Object.keys(SCRIPTS);

/** The script that teaches a shell to complete bpfmapctl's command lines. */
export function completionScript(shell: string): string {
  const script = SCRIPTS[shell];
  if (script === undefined) {
    throw new CliError(`no completion for "${shell}": there is one for ${SHELLS.join(", ")}`);
  }
  return script;
}
