/* api as a module: import api from '/api/ape.mjs' */
import './ape.js'

export const api = globalThis.api
export default api
