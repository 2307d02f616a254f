import { runsText, templateText } from '../../output/run-facts.ts'
import { bytesText } from '../../system/quantities.ts'
import type { ArmFacts } from '../environment.ts'
import type { BenchReport } from './report.ts'

/** Machine, models and method, a line each. */
export function environmentLines({ run }: BenchReport): string[] {
  const { environment } = run
  const { cpu, cores, memoryBytes, system, node, onnxRuntime, loadBefore, date } = environment
  const memory = bytesText(memoryBytes)
  const loads = [loadBefore, run.loadAfter].map((load) => load.map((value) => value.toFixed(2)).join(' '))
  return [
    `- Machine: ${cpu}, ${cores} processors, ${memory}, ${system}, Node ${node}, ONNX Runtime ${onnxRuntime}`,
    `- ${date}, ${Math.round(run.seconds)} s; load average before and after: ${loads.join(' and ')}`,
    ...modelLines(environment.arms),
    `- ${workText(run)}`,
    `- ${methodText(run)}`,
  ]
}

/** Arms of the same model, in one line. */
function modelLines(arms: readonly ArmFacts[]): string[] {
  const groups = new Map<string, string[]>()
  for (const arm of arms) {
    const { name, model, threads, runtime, runs } = arm
    const { id, revision, dtype, sha256, bytes } = model
    const at = revision === null ? '' : ` at ${revision}`
    const size = bytesText(bytes)
    const how = runs === null ? `${threads} threads, ${runtime}` : runsText(runs)
    const key = `${id}${at}, ${dtype}, ${size}, sha256 ${sha256.slice(0, 16)}; ${how}; template: ${templateText(arm)}`
    groups.set(key, [...(groups.get(key) ?? []), name])
  }
  return [...groups].map(
    ([key, names]) => `- Model${groups.size === 1 ? '' : ` of ${names.join(', ')}`}: ${key}`,
  )
}

function workText({ plan, samples }: BenchReport['run']): string {
  const prompts = [...new Set(samples.map(({ figures }) => figures.promptTokens))]
  const prompt = prompts.length === 0 ? 'the prompt' : `a prompt of ${prompts.join(' or ')} tokens`
  return `Every request: ${prompt}, then ${plan.task.tokens} tokens, greedy, end tokens ignored; text to the null device`
}

function methodText({ plan, peakRssBytes }: BenchReport['run']): string {
  const { freshProcess, pairs, seed } = plan
  const where = freshProcess
    ? 'each sample a fresh process, its start and end included, files in the system’s cache'
    : 'in one process after warm-up, a pair being both sides by turns until each has run for about 0.2 s; ' +
      `peak RSS of that process with all arms in it: ${bytesText(peakRssBytes)}`
  return `${pairs} pairs, neighbours in time, in shuffled ABBA blocks (seed ${seed}); ${where}`
}
