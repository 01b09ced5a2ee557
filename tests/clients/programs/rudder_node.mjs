// RudderStack's library for Node.
import Analytics from '@rudderstack/rudder-sdk-node'
import { calls, failed, host, writeKey } from './told.mjs'

const analytics = new Analytics(writeKey, { dataPlaneUrl: host, errorHandler: failed })

for (const [name, call] of calls()) analytics[name](call)
await analytics.flush()
