/** `auto`: on the graphics card where a trial found that the answer comes sooner from there. */
export const DEVICES = ['auto', 'cpu', 'gpu'] as const
export type DeviceChoice = (typeof DEVICES)[number]
