import { checkGoldens } from './check-family.ts'

checkGoldens('c-api', ['long', 'code'])
