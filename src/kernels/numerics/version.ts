/**
 * The number of the definition that every instruction set equals to the last bit (the files beside this one). It goes up
 * with every change of a sum, an order or a rounding: what was computed, cached or noted under another number may differ. A change of the passes over a graph that makes other
 * numbers counts as well.
 */
export const NUMERICS_VERSION = 1
