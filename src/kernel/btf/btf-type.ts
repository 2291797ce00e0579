/** One type of BTF. `type` and its like are ids in the same BTF; 0 is void. */
export type BtfType =
  | BtfVoid
  | BtfInt
  | BtfPointer
  | BtfArray
  | BtfComposite
  | BtfEnum
  | BtfEnum64
  | BtfForward
  | BtfTypedef
  | BtfQualifier
  | BtfTypeTag
  | BtfFunction
  | BtfFunctionPrototype
  | BtfVariable
  | BtfDataSection
  | BtfFloat
  | BtfDeclarationTag;

/** Every kind but void, which no BTF writes down. */
export type BtfWrittenType = Exclude<BtfType, BtfVoid>;

export interface BtfVoid {
  readonly kind: "void";
}

/** A whole number. */
export interface BtfInt {
  readonly kind: "int";
  readonly name: string;
  /** Bytes that it takes. */
  readonly size: number;
  /** Bits that count, from `bitOffset` on; old compilers wrote bitfields so. */
  readonly bits: number;
  readonly bitOffset: number;
  readonly signed: boolean;
  readonly char: boolean;
  readonly bool: boolean;
}

export interface BtfPointer {
  readonly kind: "ptr";
  readonly type: number;
}

export interface BtfArray {
  readonly kind: "array";
  readonly type: number;
  readonly indexType: number;
  /** Elements; 0 for a flexible array. */
  readonly length: number;
}

export interface BtfComposite {
  readonly kind: "struct" | "union";
  /** "" for an anonymous one. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly members: readonly BtfMember[];
}

export interface BtfMember {
  /** "" for an anonymous struct or union inside. */
  readonly name: string;
  readonly type: number;
  /** From the start of the struct. */
  readonly bitOffset: number;
  /** Bits of a bitfield; 0 for a member that is none. */
  readonly bitfieldSize: number;
}

export interface BtfEnum {
  readonly kind: "enum";
  readonly name: string;
  /** Bytes: 1, 2, 4 or 8. */
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: number }[];
}

export interface BtfEnum64 {
  readonly kind: "enum64";
  readonly name: string;
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

/** A struct or union of which only the name is known. */
export interface BtfForward {
  readonly kind: "fwd";
  readonly name: string;
  readonly union: boolean;
}

export interface BtfTypedef {
  readonly kind: "typedef";
  readonly name: string;
  readonly type: number;
}

export interface BtfQualifier {
  readonly kind: "volatile" | "const" | "restrict";
  readonly type: number;
}

export interface BtfTypeTag {
  readonly kind: "type_tag";
  readonly name: string;
  readonly type: number;
  /** It is a compiler attribute rather than a tag (Linux 6.14). */
  readonly attribute: boolean;
}

export interface BtfFunction {
  readonly kind: "func";
  readonly name: string;
  /** Id of its prototype. */
  readonly type: number;
  /** 0 static, 1 global, 2 extern. */
  readonly linkage: number;
}

export interface BtfFunctionPrototype {
  readonly kind: "func_proto";
  readonly returnType: number;
  /** A last parameter of type 0 without a name stands for `...`. */
  readonly parameters: readonly { readonly name: string; readonly type: number }[];
}

export interface BtfVariable {
  readonly kind: "var";
  readonly name: string;
  readonly type: number;
  /** 0 static, 1 global, 2 extern. */
  readonly linkage: number;
}

export interface BtfDataSection {
  readonly kind: "datasec";
  readonly name: string;
  readonly size: number;
  /** Offsets and sizes in bytes. */
  readonly variables: readonly {
    readonly type: number;
    readonly offset: number;
    readonly size: number;
  }[];
}

export interface BtfFloat {
  readonly kind: "float";
  readonly name: string;
  /** Bytes: 2, 4, 8, 12 or 16. */
  readonly size: number;
}

export interface BtfDeclarationTag {
  readonly kind: "decl_tag";
  readonly name: string;
  readonly type: number;
  /** Number of the member or parameter that is tagged; -1 for the type itself. */
  readonly componentIndex: number;
  /** It is a compiler attribute rather than a tag (Linux 6.14). */
  readonly attribute: boolean;
}

/** Name of a kind, such as "struct". */
export type BtfKindName = BtfType["kind"];
