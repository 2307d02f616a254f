/** What a template does wrong, in Python's and Jinja's own words where they are short. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}
