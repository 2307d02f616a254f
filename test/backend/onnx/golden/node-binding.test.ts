import { checkGoldens } from './check-family.ts'

// Its runs copy the cache: half of the ids, all of which the other runtime is asked for, tell as much.
checkGoldens('node', { few: ['code'], most: 32 })
