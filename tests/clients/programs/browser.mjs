// Calls made with a library in a page in Chromium, which stays open until standard input ends:
// `browser.mjs LIBRARY HOST KEY CALLS CHROMIUM`.
//
// The library is bundled as a product does it, and its page has an origin of its own, so that
// all that goes to HOST crosses origins.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'

const FLAGS = [
  '--no-sandbox', // which neither root nor a container has
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-sync',
  '--no-first-run',
]
const PAGE = '<!doctype html><title>A product</title><script src="/product.js"></script>'

const [library, host, writeKey, calls, executablePath] = process.argv.slice(2)

async function bundled() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`pages/${library}.js`, import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'product',
    logLevel: 'error',
  })
  return outputFiles[0].text
}

function website(script) {
  return createServer((request, response) => {
    const isScript = request.url === '/product.js'
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? script : PAGE)
  })
}

// When something that was sent has been answered, or never will be.
function heard(page) {
  return new Promise((resolve) => {
    const hear = (request) => {
      if (request.method() !== 'POST') return
      page.off('requestfinished', hear).off('requestfailed', hear)
      resolve()
    }
    page.on('requestfinished', hear).on('requestfailed', hear)
  })
}

async function use(page, site) {
  page.on('pageerror', (error) => console.error('the page failed:', error))
  page.on('console', (message) => console.error('the page said:', message.text()))
  await page.goto(`http://127.0.0.1:${site.address().port}/`)
  await page.evaluate(([host, writeKey]) => product.load(host, writeKey), [host, writeKey])
  for (const call of JSON.parse(calls)) {
    const answered = heard(page)
    await page.evaluate((call) => void product.make(call), call)
    await answered
  }
  await once(process.stdin.resume(), 'end')
}

const site = website(await bundled()).listen(0, '127.0.0.1')
await once(site, 'listening')
const browser = await chromium.launch({ executablePath, args: FLAGS })
try {
  await use(await browser.newPage(), site)
} finally {
  await browser.close()
  site.close()
}
