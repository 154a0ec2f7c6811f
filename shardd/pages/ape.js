/*
 * Calls functions of a Kennel server as if they were local, and hears its pushes:
 *
 *	const list = await api.users.list({ page: 2 })
 *	api.on('price', ({ data }) => ...)
 *	api.onConnectionChange(state => ...)
 *
 * A script defines window.api; a module says  import api from '/api/ape.mjs'.
 */
(() => {
  'use strict'
  const script = document.currentScript?.src
  const base = script && /\/ape\.js(\?|$)/.test(script) ?
    script.replace(/ape\.js(\?.*)?$/, '') : location.origin + '/api/'
  const TIMEOUT = 10000, UNSENT = 5000, OPENING = 4000, PING = 3000, RETRY = 30000

  // ---- JSS: JSON with tags in keys ----

  /* The text of a message; binary that it has is added to uploads, as [name, body]. */
  function encode(message, uploads) {
    const seen = new Map()
    /* [tag, value that JSON has] */
    function value(v, path) {
      if (v === undefined || typeof v === 'function' || typeof v === 'symbol')
        return ['U', null]
      if (v === null || typeof v !== 'object')
        return ['', v]
      if (v instanceof Date)
        return ['D', v.getTime()]
      if (v instanceof RegExp)
        return ['R', String(v)]
      if (v instanceof Error)
        return ['E', [v.name, v.message, v.stack]]
      if (v instanceof ArrayBuffer || ArrayBuffer.isView(v) || v instanceof Blob) {
        const name = (uploads.length + 1).toString(36)
        uploads.push([name, v])
        return [v instanceof Blob ? 'B' : 'A', name]
      }
      if (seen.has(v))
        return ['P', seen.get(v)]
      seen.set(v, path)
      if (v instanceof Set)
        return ['S', [...v]]
      if (v instanceof Map)
        return ['M', Object.fromEntries(v)]
      if (typeof v.toJSON === 'function')
        return ['', v.toJSON()]
      if (!Array.isArray(v))
        return ['', members(v, path)]
      const tags = [], list = v.map((e, i) => {
        let [tag, x] = value(e, [...path, i])
        if (tag === 'A' || tag === 'B')
          [tag, x] = ['', { __ape_upload__: x }]
        tags.push(tag)
        return x
      })
      return [tags.some(Boolean) ? `[${tags}]` : '', list]
    }
    function members(o, path) {
      const out = {}
      for (const k of Object.keys(o)) {
        const [tag, x] = value(o[k], [...path, k])
        if (tag !== 'U')
          out[tag ? `${k}<!${tag}>` : k] = x
      }
      return out
    }
    return JSON.stringify(members(message, []))
  }

  /* What a text says; links: [object, key, name] of what is to be fetched. */
  function decode(text, links) {
    const later = []
    function tagged(o, k, tag, v) {
      if (tag[0] === '[') {
        const tags = tag.slice(1, -1).split(',')
        o[k] = []
        v.forEach((e, i) => tagged(o[k], i, tags[i] ?? '', e))
      } else if (tag === 'P')
        later.push([o, k, v])
      else if (tag === 'L' || tag === 'F') {
        o[k] = v
        links.push([o, k, v])
      } else
        o[k] = tag === 'D' ? new Date(v) : tag === 'U' ? undefined :
          tag === 'S' ? new Set(v) : tag === 'M' ? new Map(Object.entries(v)) :
          tag === 'R' ? new RegExp(v.slice(1, v.lastIndexOf('/')),
            v.slice(v.lastIndexOf('/') + 1)) :
          tag === 'E' ? Object.assign(new Error(v[1]), { name: v[0], stack: v[2] }) :
          plain(v, o, k)
    }
    function plain(v, o, k) {
      if (v === null || typeof v !== 'object')
        return v
      if (v.__ape_link__) {
        links.push([o, k, v.__ape_link__])
        return v.__ape_link__
      }
      const out = Array.isArray(v) ? [] : {}
      for (const key of Object.keys(v)) {
        const m = /^(.+?)(?:<!([LF])>)+$/.exec(key) ?? /^(.+)<!(.)>/.exec(key) ??
          /^(.+)<!(\[.*\])>/.exec(key)
        tagged(out, m ? m[1] : key, m ? m[2] : '', v[key])
      }
      return out
    }
    const root = plain(JSON.parse(text))
    for (const [o, k, path] of later)
      o[k] = path.reduce((at, step) => at?.[step], root)
    return root
  }

  /* The name of a call, which the server computes from its text as well. */
  function name(text) {
    let h = 0
    for (let i = 0; i < text.length; i++) {
      h = (h + text.charCodeAt(i)) | 0
      h = (h + (h << 10)) | 0
      h ^= h >> 6
    }
    h = (h + (h << 3)) | 0
    h ^= h >> 11
    h = (h + (h << 15)) >>> 0
    let out = ''
    do
      out = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[h & 31] + out
    while ((h >>>= 5))
    return out
  }

  const request = (path, options) =>
    fetch(base + 'ape/' + path, { credentials: 'include', ...options })

  /* Puts what is linked in its place. */
  const fill = links => Promise.all(links.map(async ([o, k, id]) => {
    for (let wait = 100; ; wait *= 2) {
      const r = await request('data/' + encodeURIComponent(id))
      if (r.ok)
        return void (o[k] = await r.arrayBuffer())
      if (r.status !== 404 || wait > 1600)
        throw new Error(`file ${id}: ${r.status}`)
      await new Promise(f => setTimeout(f, wait))
    }
  }))

  // ---- state ----

  const byType = {}, general = [], watchers = new Set()
  const waiting = new Map()             // by name: calls that are sent
  let queue = []                        // calls that are not
  let state = 'disconnected', transport = null
  let socket = null, stream = null, tries = 0, timer = 0, run = 0

  function become(next) {
    if (state === next)
      return
    state = next
    for (const f of [...watchers])
      f(next)
  }

  function tell(m) {
    const message = { err: m.err, type: m.type, data: m.data }
    byType[m.type]?.(message)
    for (const f of general)
      f(message)
  }

  /* A message came. */
  async function heard(text) {
    let m
    const links = []
    try {
      m = decode(text, links)
      if (links.length)
        await fill(links)
    } catch (e) {
      console.error('ape:', e)
      if (!m)
        return
    }
    const call = m.queryId && waiting.get(m.queryId)
    if (call)
      m.err ? call.fail(m.err) : call.done(m.data)
    else if (!m.queryId && m.type !== '__heartbeat__')
      tell(m)
  }

  // ---- calls ----

  function call(type, data) {
    return new Promise((resolve, reject) => {
      const c = { type, data, at: Date.now() }
      const end = f => x => {
        clearTimeout(c.timer)
        waiting.delete(c.name)
        queue = queue.filter(q => q !== c)
        f(x)
      }
      c.done = end(resolve)
      c.fail = end(reject)
      c.limit = (ms, text) => {
        clearTimeout(c.timer)
        c.timer = setTimeout(() => c.fail(`${text} for :${type}`), ms)
      }
      if (state === 'connected')
        return send(c)
      c.limit(UNSENT, 'Request not sent')
      queue.push(c)
    })
  }

  async function send(c) {
    let uploads, text
    do {
      uploads = []
      text = encode({ type: c.type, data: c.data, createdAt: new Date(c.at++) }, uploads)
      c.name = name(text)
    } while (waiting.has(c.name))       // two that are equal, in one millisecond
    waiting.set(c.name, c)
    c.limit(TIMEOUT, 'Request Timedout')
    try {
      const parts = uploads.map(async ([part, body]) => {
        const r = await request(`data/${c.name}/${part}`, {
          method: 'PUT', body, headers: { 'Content-Type': 'application/octet-stream' }
        })
        if (!r.ok)
          throw `Upload failed: ${r.status}`
      })
      if (transport === 'websocket')
        socket.send(text)
      else
        post(c, text)
      if (parts.length) {
        clearTimeout(c.timer)           // as long as it takes
        await Promise.all(parts)
        if (waiting.get(c.name) === c)
          c.limit(TIMEOUT, 'Request Timedout')
      }
    } catch (e) {
      c.fail(e)
    }
  }

  async function post(c, text) {
    try {
      const r = await request('poll', { method: 'POST', body: text,
        headers: { 'Content-Type': 'application/json' } })
      const links = [], m = decode(await r.text(), links)
      await fill(links)
      r.ok ? c.done(m.data) : c.fail(m.error)
    } catch (e) {
      c.fail(String(e))
    }
  }

  // ---- connecting ----

  /* A delay that grows, with jitter. */
  function again() {
    const ms = Math.min(RETRY, 400 * 2 ** tries++)
    clearTimeout(timer)
    timer = setTimeout(connect, ms / 2 + Math.random() * ms)
  }

  function connected(how) {
    transport = how
    become('connected')
    const mine = run
    setTimeout(() => { if (mine === run) tries = 0 }, 3000)
    for (const c of queue.splice(0))
      send(c)
  }

  function lost() {
    run++
    socket = stream = null
    for (const c of [...waiting.values()])
      if (transport === 'websocket')
        c.fail(`Connection lost for :${c.type}`)
    become('disconnected')
    again()
  }

  async function connect() {
    clearTimeout(timer)
    const mine = ++run
    if (!navigator.onLine)
      return become('offline')          // "online" goes on
    become('connecting')
    let ok = false
    try {
      const r = await request('ping', { cache: 'no-store', signal: AbortSignal.timeout(PING) })
      const m = r.ok && await r.json()
      ok = m.ok === true && !(Math.abs(m.ts - Date.now()) > 60000)
    } catch { /* it is not there */ }
    if (mine !== run)
      return
    if (!ok) {
      become('walled')
      return again()
    }
    open(mine, () => read(mine))
  }

  /* WebSocket, or else. */
  function open(mine, otherwise) {
    const s = new WebSocket(base.replace(/^http/, 'ws') + 'ape')
    const late = setTimeout(() => s.close(), OPENING)
    let opened = false
    s.onopen = () => {
      clearTimeout(late)
      if (mine !== run)
        return s.close()
      opened = true
      if (stream) {
        stream.abort()
        stream = null
        become('disconnected')
      }
      socket = s
      connected('websocket')
    }
    s.onmessage = e => heard(e.data)
    s.onclose = () => {
      clearTimeout(late)
      if (mine === run)
        opened ? lost() : otherwise?.()
    }
  }

  /* The stream: objects one after another, found by counting braces. */
  async function read(mine) {
    const abort = stream = new AbortController()
    let text = '', at = 0, depth = 0, quoted = false
    let retry
    try {
      const r = await request('poll', { cache: 'no-store', signal: abort.signal })
      if (!r.ok)
        throw r.status
      connected('polling')
      retry = setInterval(() => open(mine), RETRY)
      const reader = r.body.pipeThrough(new TextDecoderStream()).getReader()
      for (let part; !(part = await reader.read()).done;) {
        text += part.value
        for (; at < text.length; at++) {
          const c = text[at]
          if (quoted) {
            if (c === '\\')
              at++
            else if (c === '"')
              quoted = false
          } else if (c === '"')
            quoted = true
          else if (c === '{')
            depth++
          else if (c === '}' && --depth === 0) {
            heard(text.slice(0, at + 1))
            text = text.slice(at + 1)
            at = -1
          }
        }
      }
    } catch { /* it is over */ }
    clearInterval(retry)
    if (stream === abort && mine === run)
      lost()
  }

  addEventListener('online', connect)
  addEventListener('offline', () => state !== 'connected' && become('offline'))

  // ---- window.api ----

  const reserved = {
    on(type, handler) {
      if (typeof type === 'string')
        byType[type] = handler
      else if (!general.includes(type))
        general.push(type)
    },
    onConnectionChange(handler) {
      watchers.add(handler)
      handler(state)
      return () => watchers.delete(handler)
    },
    get transport() {
      return transport
    }
  }

  const path = at => new Proxy(() => {}, {
    get: (_, key) => typeof key === 'symbol' || key === 'then' ? undefined :
      at === '' && key in reserved ? reserved[key] : path(`${at}/${key}`),
    apply: (_, self, args) => args.length > 1 ? call(at + args[0], args[1]) :
      at === '' ? call(args[0]) : call(at, args[0])
  })
  window.api = path('')
  connect()
})()
