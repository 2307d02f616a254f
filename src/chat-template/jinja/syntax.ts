/** What a template is parsed into. The names are those of Jinja's own nodes. */

export type Expression =
  | { readonly type: 'const'; readonly value: null | boolean | bigint | number | string }
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'list' | 'tuple'; readonly items: readonly Expression[] }
  | { readonly type: 'dict'; readonly pairs: readonly (readonly [Expression, Expression])[] }
  | { readonly type: 'attribute'; readonly object: Expression; readonly name: string }
  | { readonly type: 'item'; readonly object: Expression; readonly key: Expression }
  | { readonly type: 'slice'; readonly object: Expression; readonly slice: Slice }
  | { readonly type: 'call'; readonly callee: Expression; readonly args: CallArguments }
  | {
      readonly type: 'filter'
      readonly operand: Expression
      readonly name: string
      readonly args: CallArguments
    }
  | {
      readonly type: 'test'
      readonly operand: Expression
      readonly name: string
      readonly args: CallArguments
    }
  | { readonly type: 'not' | 'negative' | 'positive'; readonly operand: Expression }
  | { readonly type: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly type: 'binary'
      readonly operator: string
      readonly left: Expression
      readonly right: Expression
    }
  | { readonly type: 'concat'; readonly parts: readonly Expression[] }
  | {
      readonly type: 'compare'
      readonly first: Expression
      readonly rest: readonly { readonly operator: string; readonly operand: Expression }[]
    }
  | {
      readonly type: 'condition'
      readonly test: Expression
      readonly yes: Expression
      readonly no: Expression | undefined
    }

export interface Slice {
  readonly start: Expression | undefined
  readonly stop: Expression | undefined
  readonly step: Expression | undefined
}

export interface CallArguments {
  readonly positional: readonly Expression[]
  readonly named: readonly (readonly [name: string, value: Expression])[]
  /** `*list` and `**dict`. */
  readonly spread: Expression | undefined
  readonly namedSpread: Expression | undefined
}

export const NO_ARGUMENTS: CallArguments = {
  positional: [],
  named: [],
  spread: undefined,
  namedSpread: undefined,
}

/** What may be assigned to. */
export type Target =
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'tuple'; readonly items: readonly Target[] }
  | { readonly type: 'namespace'; readonly object: string; readonly name: string }

/** Parameters of a macro or of a `call` block. */
export interface Signature {
  readonly names: readonly string[]
  /** Of the last parameters. */
  readonly defaults: readonly Expression[]
}

type Body = readonly Statement[]

export type Statement =
  | { readonly type: 'data'; readonly text: string }
  | { readonly type: 'output'; readonly value: Expression }
  | { readonly type: 'if'; readonly test: Expression; readonly body: Body; readonly otherwise: Body }
  | {
      readonly type: 'for'
      readonly target: Target
      readonly iterable: Expression
      readonly test: Expression | undefined
      readonly recursive: boolean
      readonly body: Body
      readonly otherwise: Body
    }
  | { readonly type: 'break' | 'continue' }
  | { readonly type: 'set'; readonly target: Target; readonly value: Expression }
  | {
      readonly type: 'set-block'
      readonly target: Target
      readonly filters: readonly FilterCall[]
      readonly body: Body
    }
  | {
      readonly type: 'with'
      readonly assignments: readonly (readonly [Target, Expression])[]
      readonly body: Body
    }
  | { readonly type: 'scope'; readonly body: Body }
  | { readonly type: 'macro'; readonly name: string; readonly signature: Signature; readonly body: Body }
  | {
      readonly type: 'call-block'
      readonly call: Extract<Expression, { type: 'call' }>
      readonly signature: Signature
      readonly body: Body
    }
  | { readonly type: 'filter-block'; readonly filters: readonly FilterCall[]; readonly body: Body }

export interface FilterCall {
  readonly name: string
  readonly args: CallArguments
}
