/** Spreads 32 bits over 32 bits, one to one (the finaliser of MurmurHash3). */
export function mix(value) {
    const a = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
    const b = Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
    return b ^ (b >>> 16);
}
//# sourceMappingURL=mix.js.map