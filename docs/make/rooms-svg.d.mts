export function drawRooms(): string
