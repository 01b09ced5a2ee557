// Segment's former library for Node, which is still in wide use.
import Analytics from 'analytics-node'
import { calls, failed, host, writeKey } from './told.mjs'

const analytics = new Analytics(writeKey, { host, errorHandler: failed })

for (const [name, call] of calls()) analytics[name](call)
await analytics.flush()
