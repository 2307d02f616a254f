import { checkGoldens } from './check-family.ts'

checkGoldens('c-api', { few: ['long', 'code'] })
