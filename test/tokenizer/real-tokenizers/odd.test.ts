import { compareHalf } from '../../support/real-tokenizers.ts'

compareHalf(1)
