/** Flags as other programs of this kind call them, and what they are here. */

/** Of another name here. */
const SAME: Readonly<Record<string, string>> = {
  '--temp': '--temperature',
  ...names(
    '--max-tokens',
    '--n-predict --num-predict --predict --max-new-tokens --max-length --length --tokens',
  ),
  ...names(
    '--ctx-size',
    '-c --context --context-size --context-length --ctx --n-ctx --num-ctx --max-context',
  ),
  ...names('--repetition-penalty', '--repeat-penalty'),
  ...names('--system', '--system-prompt --sys -sys'),
  ...names('--typical-p', '--typical'),
  ...names('--ignore-eos', '--no-eos'),
  ...names('--no-stdin', '--nostdin'),
  ...names('--dtype', '--quant --quantize --quantization --precision'),
  ...names('--cache-dir', '--cache --models-dir'),
  ...names('--chat-template', '--template --jinja'),
  ...names('--stop', '-r --reverse-prompt --stop-sequence'),
  ...names('--threads', '--num-threads --n-threads --thread'),
  ...names('--top-k', '-k'),
  ...names('--logit-bias', '-l'),
}

/** No flag here. */
const OTHERWISE: Readonly<Record<string, string>> = {
  ...names('the prompt is written without a flag: spout "your prompt"', '-p --prompt'),
  ...names('a conversation: spout chat', '-i --interactive --chat --conversation -cnv'),
  ...names('an answer is always written as it comes', '--stream --no-stream'),
  ...names('the prompt is never repeated', '--no-display-prompt --no-echo --echo'),
  ...names('spout models list', '--list --list-models --models'),
  ...names('spout models pull org/name', '--pull --download --hf-repo -hf'),
  ...names('spout runs on the processor', '-ngl --n-gpu-layers --gpu-layers --gpu'),
}

function names(meaning: string, list: string): Record<string, string> {
  return Object.fromEntries(list.split(' ').map((name) => [name, meaning]))
}

/** What to type in place of a flag that is none here: a hint; `undefined` when nobody else has one of that name. */
export function hintForForeign(name: string): string | undefined {
  if (Object.hasOwn(OTHERWISE, name)) return OTHERWISE[name]
  return Object.hasOwn(SAME, name) ? `did you mean ${SAME[name]}` : undefined
}
