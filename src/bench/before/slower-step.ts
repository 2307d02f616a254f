import { type BeforeArm, withForward } from './before-arm.ts'

const SHARE = 0.05

/** No part of the history: a difference that is known, to see that it is found. */
export const slowerStep: BeforeArm = {
  name: 'slower-5%',
  standsFor: 'a control: the product, waiting 5 % of its own time after every run of the model',
  async open() {
    return {
      alter(parts) {
        let last = performance.now()
        const forward = withForward(parts.backend, async (ids, cache, signal) => {
          const logits = await parts.backend.forward(ids, cache, signal)
          const until = performance.now() + SHARE * (performance.now() - last)
          while (performance.now() < until);
          last = performance.now()
          return logits
        })
        return { ...parts, backend: forward }
      },
    }
  },
}
