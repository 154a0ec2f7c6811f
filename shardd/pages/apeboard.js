/*
 * The board: a list and pictures, kept by those who look at it.  What one does, all others
 * are told by api.message(); who comes is given the whole board by one who is here.
 */
'use strict'

const $ = id => document.getElementById(id)
const items = new Map()         // id: {id, kind, text, done, src, at, by, gone}
const people = new Map()        // client id: {id, name, color, busy}
const blobs = new Map()         // item id: its picture's bytes
const fresh = () => Math.random().toString(36).slice(2, 10)
const names = ['Otter', 'Heron', 'Lynx', 'Badger', 'Finch', 'Marten', 'Newt', 'Raven', 'Hare', 'Stoat', 'Swift', 'Wren']
const me = {
  id: '', color: Math.floor(Math.random() * 360),
  name: sessionStorage.name ?? names[Math.floor(Math.random() * names.length)],
}
let calls = 0, pushes = 0, clock = 0

// ---- to and from others ----

/* Calls that fail are of no consequence: the next one says it again. */
async function call(f) {
  calls++
  count()
  try {
    return await f()
  } catch (e) {
    console.info('call:', e)
  }
}
const tell = m => call(() => api.message(m))
const to = (id, m) => call(() => api.sendto({ to: id, type: 'message', data: m }))

function count() {
  $('calls').textContent = `${calls} calls, ${pushes} pushes, by ${api.transport ?? 'nothing yet'}`
}

/* Later is right; of two at once, one of them is everywhere. */
function newer(a, b) {
  return !b || a.at > b.at || (a.at === b.at && a.by > b.by)
}

function put(item) {
  clock = Math.max(clock, item.at)
  if (!newer(item, items.get(item.id)))
    return
  items.set(item.id, item)
  show(item)
}

/* I have changed something. */
function change(item, more) {
  const next = { ...item, ...more, at: Math.max(clock + 1, Date.now()), by: me.id }
  put(next)
  later(next)
}

/* Keystrokes are told ten times a second. */
const due = new Map()
function later(item) {
  if (!due.size)
    setTimeout(() => {
      const put = [...due.values()]
      due.clear()
      tell({ put })
    }, 100)
  due.set(item.id, item)
}

function heard({ data: m }) {
  pushes++
  count()
  if (m.who) {
    const known = people.has(m.who.id)
    people.set(m.who.id, m.who)
    showPeople()
    if (m.hello && !known)
      to(m.who.id, { who: me })
  }
  if (m.bye) {
    people.delete(m.bye)
    showPeople()
  }
  if (m.want)
    give(m.want)
  for (const item of m.put ?? [])
    put(item)
}

/* The whole board for somebody who has come; pictures are sent again. */
async function give(id) {
  const all = []
  for (const item of items.values()) {
    if (item.kind !== 'pic' || item.gone)
      all.push(item)
  }
  for (let i = 0; i < all.length; i += 50)
    await to(id, { put: all.slice(i, i + 50) })
  for (const item of items.values())
    if (item.kind === 'pic' && blobs.has(item.id))
      share(blobs.get(item.id), src => to(id, { put: [{ ...item, src }] }))
}

/*
 * Announces a file, tells its name, and sends it: others may ask for it at once.  One after
 * the other, for a browser has six connections to a server, which those wait on who ask.
 */
let sending = Promise.resolve()
function share(blob, told) {
  sending = sending.then(async () => {
    const id = `pic-${fresh()}${fresh()}`
    await call(() => api.silent({ 'pic<!F>': id }))  // who has it back would wait for it
    told(id)
    await fetch(`/api/ape/data/_share/${id}`, {
      method: 'PUT', body: blob, credentials: 'include',
      headers: { 'Content-Type': 'application/octet-stream' },
    })
  }).catch(e => console.info('upload:', e))
}

async function join() {
  const who = await call(() => api.whoami())
  if (!who)
    return
  people.delete(me.id)
  me.id = who.clientId
  showPeople()
  await tell({ who: me, hello: true })
  let others = (await call(() => api.users.list()) ?? []).filter(id => id !== me.id)
  if (!others.length) {                 // on other servers, if anywhere: who has said hello
    await new Promise(r => setTimeout(r, 300))
    others = [...people.keys()]
  }
  if (others.length)                    // one of them has it all
    to(others[Math.floor(Math.random() * others.length)], { who: me, want: me.id })
  for (const item of items.values())
    if (item.by && item.kind === 'line')
      later(item)
}

/* Who has vanished without a word. */
setInterval(async () => {
  if (document.hidden || !me.id || !people.size)
    return
  const there = await call(() => api.users.list())
  for (const id of people.keys())       // not listed here are those of other servers, too
    if (there && !there.includes(id) && (await to(id, {}))?.sent === false)
      people.delete(id)
  showPeople()
}, 5000)
addEventListener('pagehide', () => { api.message({ bye: me.id }) })

// ---- what is seen ----

function showPeople() {
  const all = [me, ...people.values()]
  $('alone').hidden = people.size > 0 || !me.id
  $('here').replaceChildren(...all.slice(0, 12).map(p => {
    const li = document.createElement('li')
    li.style.setProperty('--hue', p.color)
    li.textContent = p.name.slice(0, 2)
    li.title = p === me ? `${p.name} (you)` : p.name
    return li
  }), ...(all.length > 12 ? [Object.assign(document.createElement('li'), { textContent: `+${all.length - 12}` })] : []))
  for (const row of $('list').children) {
    const p = all.find(p => p !== me && p.busy === row.dataset.id)
    row.dataset.busy = p ? p.name : ''
    row.style.setProperty('--hue', p ? p.color : 0)
  }
}

function busy(id) {
  me.busy = id
  tell({ who: me })
}

/* As high as its text. */
function fit(text) {
  text.style.height = 'auto'
  text.style.height = `${text.scrollHeight}px`
}

function line(item) {
  const li = document.createElement('li')
  const done = document.createElement('input'), text = document.createElement('textarea')
  const gone = document.createElement('button')
  li.dataset.id = item.id
  done.type = 'checkbox'
  done.ariaLabel = 'Done'
  done.onchange = () => change(items.get(item.id), { done: done.checked })
  text.ariaLabel = 'Line'
  text.maxLength = 200
  text.rows = 1
  text.oninput = () => change(items.get(item.id), { text: text.value.replaceAll('\n', ' ') })
  text.onfocus = () => busy(item.id)
  text.onblur = () => busy('')
  text.onkeydown = e => {
    if (e.key !== 'Enter')
      return
    e.preventDefault()
    $('new').focus()
  }
  gone.textContent = '×'
  gone.ariaLabel = 'Take away'
  gone.onclick = () => change(items.get(item.id), { gone: true })
  li.append(done, text, gone)
  return li
}

function picture(item) {
  const figure = document.createElement('figure'), img = document.createElement('img')
  const caption = document.createElement('figcaption'), gone = document.createElement('button')
  figure.dataset.id = item.id
  figure.className = 'coming'
  img.alt = item.text
  img.width = item.w
  img.height = item.h
  img.onload = () => figure.classList.remove('coming')
  img.onerror = () => figure.classList.add('lost')
  gone.textContent = '×'
  gone.ariaLabel = 'Take away'
  gone.onclick = () => change(items.get(item.id), { gone: true })
  caption.textContent = item.text
  figure.append(img, caption, gone)
  figure.style.setProperty('--hue', item.hue)
  return figure
}

/* Its bytes: for our eyes, and for those who come later. */
async function load(item, img) {
  if (blobs.has(item.id)) {
    const r = new FileReader()
    r.onload = () => { img.src = r.result }
    r.readAsDataURL(blobs.get(item.id))
    return
  }
  img.src = `/api/ape/data/${item.src}`         // shown as it comes
  try {
    await img.decode()
    const r = await fetch(img.src)
    if (r.ok)
      blobs.set(item.id, new Blob([await r.arrayBuffer()], { type: item.type }))
  } catch (e) {
    console.info('picture:', e)
  }
}

function show(item) {
  const where = item.kind === 'pic' ? $('wall') : $('list')
  let el = where.querySelector(`[data-id="${CSS.escape(item.id)}"]`)
  if (item.gone) {
    el?.remove()
    blobs.delete(item.id)
    return
  }
  if (!el) {
    el = item.kind === 'pic' ? picture(item) : line(item)
    where.append(el)
  }
  if (item.kind === 'pic') {
    if (el.dataset.src !== item.src && !(blobs.has(item.id) && el.dataset.src)) {
      el.dataset.src = item.src
      load(item, el.querySelector('img'))
    }
    return
  }
  const done = el.querySelector('input'), text = el.querySelector('textarea')
  done.checked = !!item.done
  if (text.value !== item.text)
    text.value = item.text
  fit(text)
  el.classList.toggle('done', !!item.done)
}

// ---- pictures ----

async function take(file) {
  if (!file.type.startsWith('image/'))
    return
  let blob = file, w = 0, h = 0
  try {
    const map = await createImageBitmap(file), scale = Math.min(1, 1600 / Math.max(map.width, map.height))
    w = Math.round(map.width * scale)
    h = Math.round(map.height * scale)
    if (scale < 1) {
      const canvas = new OffscreenCanvas(w, h)
      canvas.getContext('2d').drawImage(map, 0, 0, w, h)
      blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.85 })
    }
  } catch (e) {
    console.info('picture:', e)
    return
  }
  const id = fresh()
  blobs.set(id, blob)
  const item = { id, kind: 'pic', text: file.name || 'pasted', type: blob.type, w, h, hue: me.color }
  share(blob, src => change(item, { src }))
}

$('file').onchange = e => {
  for (const f of e.target.files)
    take(f)
  e.target.value = ''
}
addEventListener('dragover', e => {
  e.preventDefault()
  $('drop').classList.add('over')
})
for (const end of ['dragleave', 'drop'])
  addEventListener(end, () => $('drop').classList.remove('over'))
addEventListener('drop', e => {
  e.preventDefault()
  for (const f of e.dataTransfer.files)
    take(f)
})
addEventListener('paste', e => {
  for (const f of e.clipboardData.files)
    take(f)
})

// ---- the list ----

/* A line exists from its first letter on: others see it being written. */
let writing = null
$('new').oninput = () => {
  writing ??= { id: fresh(), kind: 'line', done: false }
  change(writing, { text: $('new').value })
}
$('add').onsubmit = e => {
  e.preventDefault()
  $('new').value = ''
  writing = null
}
addEventListener('resize', () => document.querySelectorAll('#list textarea').forEach(fit))
$('name').value = me.name
$('name').oninput = () => {
  me.name = sessionStorage.name = $('name').value || '?'
  showPeople()
  clearTimeout($('name').timer)
  $('name').timer = setTimeout(tell, 300, { who: me })
}

api.on('message', heard)
api.onConnectionChange(state => {
  $('state').textContent = state === 'connected' ? `connected by ${api.transport}` : state
  $('state').className = state === 'connected' ? 'up' : 'down'
  count()
  if (state === 'connected')
    join()
})
showPeople()
