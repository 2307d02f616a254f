import { checkGoldens } from './check-family.ts'

checkGoldens('node', ['code'])
