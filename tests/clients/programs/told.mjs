// What a program is told: `PROGRAM HOST KEY CALLS`, the calls as JSON.
export const [host, writeKey] = process.argv.slice(2)

// The name of each call and what it says, as libraries for Node take it.
export function calls() {
  const told = JSON.parse(process.argv[4], (name, value) =>
    name === 'timestamp' ? new Date(value) : value,
  )
  return told.map(({ type, ...call }) => [type, call])
}

export function failed(error) {
  console.error('gave up:', error)
}
