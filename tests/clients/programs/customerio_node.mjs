// Customer.io's library for Node.
import { Analytics } from '@customerio/cdp-analytics-node'
import { calls, failed, host, writeKey } from './told.mjs'

const analytics = new Analytics({ writeKey, host })
analytics.on('error', failed)

for (const [name, call] of calls()) analytics[name](call)
await analytics.closeAndFlush({ timeout: 30_000 })
