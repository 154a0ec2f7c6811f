/* Types of /api/ape.js (window.api) and /api/ape.mjs. */

export type ConnectionState =
  'offline' | 'walled' | 'disconnected' | 'connecting' | 'connected' | 'closing'

/** What a push brings. */
export interface ApeMessage<T = any> {
  err?: any
  type: string
  data: T
}

export type MessageHandler<T = any> = (message: ApeMessage<T>) => void

/** A function of the server: call it, or go on to one below its name. */
export interface ApeFunction {
  <R = any>(data?: any): Promise<R>
  <R = any>(path: string, data: any): Promise<R>
  readonly [name: string]: ApeFunction
}

export interface ApeReserved {
  /** Hear pushes of a type (one handler each), or all of them. */
  on<T = any>(type: string, handler: MessageHandler<T>): void
  on(handler: MessageHandler): void
  /** Called at once, and with each change.  Returns how to end it. */
  onConnectionChange(handler: (state: ConnectionState) => void): () => void
  /** null: not connected yet. */
  readonly transport: 'websocket' | 'polling' | null
}

/** api.users.list({page: 2}) calls users/list. */
export interface ApeSender {
  <R = any>(path: string, data?: any): Promise<R>
  readonly [name: string]: any
}

export type ApeClient = ApeReserved & ApeSender

declare global {
  const api: ApeClient
  interface Window { api: ApeClient }
}

export const api: ApeClient
export default api
