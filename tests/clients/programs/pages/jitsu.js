// Jitsu's library for browsers, whose pages have only properties.
import { jitsuAnalytics } from '@jitsu/js'
import { calling } from './calling.js'

export let make

export function load(host, writeKey) {
  const jitsu = jitsuAnalytics({ host, writeKey })
  const page = (category, name, properties) => jitsu.page({ category, name, ...properties })
  make = calling({ ...jitsu, page })
}
