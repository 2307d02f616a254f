/**
 * The number of the definition that every instruction set equals to the last bit (the files beside this one). It goes up
 * with every change of a sum, an order or a rounding: what was computed, cached or noted under another number may differ.
 */
export const NUMERICS_VERSION = 1
