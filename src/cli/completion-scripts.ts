export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** The last line of `__complete` is a directive for kubectl (`:4`, no file names), as cobra prints it. */
const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# source <(kubectl-rollback completion bash)
_kubectl_rollback() {
  local IFS=$'\\n'
  COMPREPLY=($(kubectl-rollback __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | sed '$d'))
}
complete -F _kubectl_rollback kubectl-rollback
`,
  zsh: `#compdef kubectl-rollback
# source <(kubectl-rollback completion zsh)
_kubectl_rollback() {
  local -a found
  found=(\${(f)"$(kubectl-rollback __complete "\${(@)words[2,CURRENT]}" 2>/dev/null | sed '$d')"})
  compadd -a found
}
compdef _kubectl_rollback kubectl-rollback
`,
  fish: `# kubectl-rollback completion fish | source
function __kubectl_rollback
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  kubectl-rollback __complete $words 2>/dev/null | string match -v -r '^:\\d+$'
end
complete -c kubectl-rollback -f -a '(__kubectl_rollback)'
`,
};

/** A script that makes the shell ask this program what comes next. */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}
